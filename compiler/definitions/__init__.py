"""What composite operators are in terms of others: their definitions, as graphs.

An operator's class has a definition in netc's own text, the body of a block in which its inputs, its parameters and its arguments have
their names:

    class Glu(Activation):
        name = "glu"
        x = Input(FLOATS, SOME_AXES)
        axis = Arg(AXIS, default=-1)
        definition = '''
            (a, b) = x -> chunk 2 axis=axis
            a * sigmoid(b)
        '''

`define` elaborates that text for one use of the operator; `expand_undefined` puts calls of such graphs in the place of the operators that
a backend has no kernel for.
"""

from .definition_graphs import DefinitionFile as DefinitionFile
from .definition_graphs import Undefined as Undefined
from .definition_graphs import WrongDefinition as WrongDefinition
from .definition_graphs import define as define
from .expand_definitions import Definitions as Definitions
from .expand_definitions import expand_operators as expand_operators
from .expand_definitions import expand_program as expand_program
