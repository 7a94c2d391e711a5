"""What standards decides, pure."""
