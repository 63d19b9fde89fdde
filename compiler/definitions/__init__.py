"""Definitions of composite operators, as graphs of other operators.

A composite operator's class has a `definition` in the netc language. It is the body of a block, in which the operator's inputs,
parameters and arguments are names:

    class Glu(Activation):
        name = "glu"
        x = Input(FLOATS, SOME_AXES)
        axis = Arg(AXIS, default=-1)
        definition = '''
            (a, b) = x -> chunk 2 axis=axis
            a * sigmoid(b)
        '''

`elaborate_definition` elaborates that text for one use of the operator. `expand_operators` replaces operators for which a backend has no
kernel by calls of such graphs.
"""

from .definition_graphs import DefinitionFile as DefinitionFile
from .definition_graphs import MissingDefinition as MissingDefinition
from .definition_graphs import WrongDefinition as WrongDefinition
from .definition_graphs import elaborate_definition as elaborate_definition
from .expand_definitions import Definitions as Definitions
from .expand_definitions import expand_operators as expand_operators
from .expand_definitions import expand_program as expand_program
