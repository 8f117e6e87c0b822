"""Pages for administrators over all apps: the doctor, the settings as a file, the test of the mail settings."""
