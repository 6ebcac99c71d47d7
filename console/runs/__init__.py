"""What the run pages say and draw: filters, words, the tree of spans and its waterfall."""
