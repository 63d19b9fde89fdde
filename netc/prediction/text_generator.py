"""Generate text, token by token.

In: a decoder, its tokenizer, and a prompt. Out: the tokens that follow, one at a time, each with its text. Always: at the temperature 0,
each token is the one with the best score of the complete model for the text so far, as long as the text is not longer than the model takes.
After that, the model sees only the last part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from netc.dsl.record import Record

from ..tokenizing.text_tokenizer import Tokenizer
from .decoder_steps import Decoder, NoGenerator
from .token_sampling import Sampling, choose_token

TOKENS = 200
"""The number of tokens that are generated, unless the caller says another."""
Prompt = str | Sequence[int]


class Token(Record):
    """A generated token. `text` is empty for a token that ends in the middle of a character, and for the one that ends the text."""

    number: int
    text: str

    def __str__(self) -> str:
        return self.text


class TextGenerator:
    """A decoder with its tokenizer."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer) -> None:
        """Raises `NoGenerator` if the tokenizer has more tokens than the model."""
        self.decoder, self.tokenizer = decoder, tokenizer
        if tokenizer.size > decoder.ports.vocabulary:
            remedy = "pass the tokenizer that the model was trained with"
            raise NoGenerator(f"the tokenizer has {tokenizer.size} tokens, and the model scores of {decoder.ports.vocabulary}", remedy)

    def generate(
        self,
        prompt: Prompt = "",
        *,
        tokens: int = TOKENS,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        note: Callable[[str], None] = lambda text: None,
    ) -> Iterator[Token]:
        """Return an iterator over the tokens that follow a prompt.

        Args:
            prompt: A text, or the numbers of its tokens. An empty one begins a text: with the token that ends the one before, or a newline.
            tokens: The most tokens. The text ends before at the tokenizer's end token, which is the last one of the iterator.
            temperature: What the scores are divided by. 0 takes the best token.
            top_k: Draw from this many of the best tokens.
            top_p: Draw from the best tokens that together have this probability.
            seed: The seed of the random numbers.
            note: Called with notes for the user.

        Raises:
            ValueError: for settings out of range, and for a prompt with tokens that the model does not have.
        """
        sampling = Sampling(temperature, top_k, top_p)
        sampling.check()
        if tokens < 0:
            raise ValueError(f"the number of tokens must be at least 0, not {tokens}")
        numbers = self.read_prompt(prompt)
        if self.decoder.note:
            note(self.decoder.note)
        return self._iterate_tokens(numbers, tokens, sampling, np.random.default_rng(seed), note)

    def read_prompt(self, prompt: Prompt) -> list[int]:
        """Return the numbers of the tokens of a prompt. Raises `ValueError` for tokens that the model does not have."""
        if isinstance(prompt, str):
            try:
                numbers = self.tokenizer.encode_prompt(prompt).tolist()
            except UnicodeEncodeError:
                raise NoGenerator("the prompt is not Unicode text, which the tokenizer needs", "write it in UTF-8") from None
            start = self.tokenizer.encode("\n").tolist() if self.tokenizer.end is None else [self.tokenizer.end]
            return numbers or start
        numbers = [int(number) for number in prompt]
        vocabulary = self.decoder.ports.vocabulary
        wrong = next((number for number in numbers if not 0 <= number < vocabulary), None)
        if wrong is not None:
            raise ValueError(f"the prompt has the token {wrong}, and tokens are numbers from 0 to {vocabulary - 1}")
        if not numbers:
            raise ValueError("the prompt has no tokens")
        return numbers

    def _iterate_tokens(
        self, numbers: list[int], count: int, sampling: Sampling, generator: np.random.Generator, note: Callable[[str], None]
    ) -> Iterator[Token]:
        text = _LimitedText(self.decoder, numbers, note)
        decoder = self.tokenizer.make_decoder()
        for number in numbers:  # the text of a token may depend on the ones before: some tokenizers drop the first space
            decoder.decode(number)
        for left in range(count - 1, -1, -1):
            token = choose_token(text.scores(), sampling, generator)
            is_last = token in self.tokenizer.ends
            shown = "" if is_last else decoder.decode(token)
            # the last token also gets the bytes of a character that has not been completed
            yield Token(token, shown if left and not is_last else shown + decoder.finish())
            if is_last:
                return
            text.add(token)


class _LimitedText:
    """A text within the model's limit. A text that reaches the limit continues from its last part, half as long as the limit."""

    def __init__(self, decoder: Decoder, numbers: list[int], note: Callable[[str], None]) -> None:
        self._decoder, self._note = decoder, note
        self._limit = decoder.ports.context
        self._numbers = list(numbers)
        self._unread: list[int] = []
        self._state = decoder.begin()
        self._length = 0
        self._was_noted = False
        self._begin(numbers if len(numbers) <= self._limit else numbers[-self._half :])

    @property
    def _half(self) -> int:
        # half, so that the last part is read again once for many tokens, not for each
        return max(1, self._limit // 2)

    def add(self, token: int) -> None:
        self._numbers.append(token)
        if self._length + len(self._unread) < self._limit:
            self._unread.append(token)
        else:
            self._begin(self._numbers[-self._half :])

    def scores(self) -> np.ndarray:
        """Return the scores of the next token."""
        result = self._state.read(self._unread)
        self._length += len(self._unread)
        self._unread = []
        return result

    def _begin(self, numbers: list[int]) -> None:
        if len(numbers) < len(self._numbers) and not self._was_noted:
            self._was_noted = True
            self._note(f"the model takes {self._limit} tokens: a longer text continues from its last {self._half}")
        self._state, self._length, self._unread = self._decoder.begin(), 0, list(numbers)
