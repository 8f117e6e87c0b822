"""The project: settings, URLs, the trial's servers, and the pages that show several apps at once."""
