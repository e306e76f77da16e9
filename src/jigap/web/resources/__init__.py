"""The routes, a module for each sort of thing they show."""
