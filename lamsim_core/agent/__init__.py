"""Who acts: how a task is put to an agent, how its replies are read, and the policies."""
