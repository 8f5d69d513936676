"""DALI: parameters, shapes, intervals, faults and capabilities, shared by all services."""
