"""The command line: one small file a command; the only room that prints or exits."""
