"""How queries run: transactions in threads, the queue before them, group commit."""
