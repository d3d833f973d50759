"""Watch live with eBPF: what the programs of this machine do with IPC, without touching them."""
