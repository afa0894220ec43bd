"""One file per lecture: its exercises, with the mistakes learners make and the sentence each earns."""
