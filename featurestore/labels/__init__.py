"""Labels of several labellers (the policy that decides, and how far they agree), and of several classes of a row."""
