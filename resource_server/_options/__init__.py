"""The options, in groups by what they are about; `settings` puts them together and judges them as a whole."""
