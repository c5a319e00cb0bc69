"""The simulated world: one set of stimuli with planted truth and the recordings made of it.

``world.write_world`` renders the stimuli, ``it_recording.write_it_recording`` records two animals
that watch them. ``docs/simulated_world.md`` says what is planted and what is not modelled.
"""
