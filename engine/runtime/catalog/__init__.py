"""What messages find beside their person: products, codes, and what goes with what."""
