"""The stage that turns stimuli into the activity of vision models."""
