"""The services of this machine: which of *their* limits are near, who talks to whom, what a log line means.

Standard library only. What no file tells is asked of the kernel: the queue of a listener and its size through
sock_diag (sock_diag(7)), namespaces through setns(2) in a child that ends at once.
"""
