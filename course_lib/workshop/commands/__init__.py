"""The commands of `course`, by theme: in each module `add` says what they take, and a function a command does it."""
