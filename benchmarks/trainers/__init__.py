"""Every export, read by the trainers themselves: their own loaders, templates, collators and data loaders."""
