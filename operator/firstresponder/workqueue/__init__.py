"""A keyed queue like client-go's workqueue: which key is worked on when, each by one worker at a time."""
