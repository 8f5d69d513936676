"""The discovery page: images of a place, a time, a wavelength, from all services that the registry knows."""
