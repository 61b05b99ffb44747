"""What happened: events, readers of recorded formats, the market simulator."""
