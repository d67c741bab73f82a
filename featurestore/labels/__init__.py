"""Labels of several labellers: the policy that decides, and how far the labellers agree."""
