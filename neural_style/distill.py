"""Moved to `neural_style.training.distill`; this name goes with the next release."""

from neural_style.training.distill import main

if __name__ == "__main__":
    main()
