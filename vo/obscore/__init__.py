"""From archive records to ObsCore rows with footprints."""
