"""Fine-tuning: LoRA and QLoRA on this machine, from examples to an adapter. Knows nothing of projects or stores."""
