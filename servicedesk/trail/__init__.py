"""The auditor's pages: the trail over every tracked model, who has which role, and how the settings stood on a date."""
