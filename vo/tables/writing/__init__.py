"""Streaming writers of result tables, one module for each form, over one cursor (:mod:`vo.tables.writing.rows`)."""
