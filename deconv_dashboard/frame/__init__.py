"""What is around every page: shell, sidebar, links, pickers, messages."""
