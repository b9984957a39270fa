"""How the bundled weights are made. No run imports this; a second network can be trained with the same parts.

- `data`: crops of images, and perturbed crops.
- `trainer`: Adam on a vector of parameters, in rounds, with a learning-rate schedule and a saved state that resumes.
- `teacher`: VGG16 along principal directions, the loss that a student learns, and batches with the teacher's answers.
- `student`: the network that becomes `features.Lite`, and its first fit.
- `distill`: the command that trains it.
- `decoders`: the command that trains the decoders of style transfer in one pass.
- `command`: what these two share: options, validation, weights and their record.
- `quantize`: the command that rounds VGG16's weights to 8 bits.
"""
