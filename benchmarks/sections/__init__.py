"""Parts of the pages that are measured, or written, by a module each."""
