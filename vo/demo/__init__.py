"""The demo collection: synthetic plates, the same every time, loaded through :mod:`vo.ingest` like any other."""
