"""The frame of every page: shell, sidebar, links, pickers, messages."""
