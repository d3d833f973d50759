"""Do, record, undo: every change is written down durably before it is made, and can be taken back at any moment."""
