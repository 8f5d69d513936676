"""The demo collection: synthetic plates, the same every time, loaded through :mod:`vo.ingest` like any other."""

from vo.demo.load import load_demo, make

__all__ = ["load_demo", "make"]
