"""What only benchmarks use. Each command lies one folder up; nothing in here is one."""
