"""Pictures of networks: a checked program comes in, drawings of its graph go out.

picture_levels.py   program -> levels of boxes and wires, as one thinks of them
layout/     a level -> coordinates, by layers
svg.py, page.py, diagrams.py, png.py   a level with coordinates -> a file
"""
