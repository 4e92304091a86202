"""The commands of the plugins, a file each."""
