"""Tables, figures and pages, drawn from cards."""
