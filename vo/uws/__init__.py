"""UWS 1.1: jobs that outlive the request that made them."""
