"""Every SELECT of monitoring, and the intake's few bulk statements."""
