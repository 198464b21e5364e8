"""What happens, in terms of ports: each flow works inside one transaction that its caller opened."""
