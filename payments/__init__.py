"""Rules of money. Knows no campus: an order carries its purpose and its payer, nothing is read into them. DESIGN §2."""
