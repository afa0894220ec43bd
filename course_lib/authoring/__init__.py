"""From one source per lecture to the student's notebook, the executed solution, and the README's map."""
