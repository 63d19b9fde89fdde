"""How PyTorch's modules contain others: containers, constructors, how members are accessed and tied."""
