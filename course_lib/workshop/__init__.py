"""What makes and checks the course: commands, the base model, notebooks, cards."""
