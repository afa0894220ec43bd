"""Starting JupyterLab for the course, and telling what is wrong with a machine."""
