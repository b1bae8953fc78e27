"""What the machine computes on: devices, their errors, the numbers they multiply fastest."""
