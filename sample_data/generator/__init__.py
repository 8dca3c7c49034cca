"""Generator of the sample exports: real places, and a simulated world of nights out around them.

Here: everything that makes `sample_data/`. The same seed and scale give the same bytes.
Not here: anything the platform imports; the platform only reads the files.
"""
