"""What the template of each section is given: rows, headings and cells."""
