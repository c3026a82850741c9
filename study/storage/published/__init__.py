"""The published project's own files: `import_published` makes studies of them."""
