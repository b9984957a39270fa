"""The peak memory of a graph, against sums done by hand."""

import numpy as np
import tensorflow as tf

from neural_style.objective.graph_memory import peak_bytes

MAP = 4 * 8 * 8  # bytes of a channel of an 8x8 map


def graph_of(function, *shape):
    return tf.function(function).get_concrete_function(tf.TensorSpec(shape)).outputs[0]


def test_a_chain_holds_two_links_at_a_time():
    assert peak_bytes(graph_of(lambda x: tf.exp(tf.exp(tf.exp(tf.exp(x)))), 1, 8, 8, 1)) == 2 * MAP


def test_what_is_read_later_stays_alive():
    def function(x):
        first = tf.exp(x)
        return tf.exp(tf.exp(tf.exp(first))) + first

    assert peak_bytes(graph_of(function, 1, 8, 8, 1)) == 3 * MAP


def test_sums_and_relu_run_in_place_if_their_input_is_not_read_again():
    assert peak_bytes(graph_of(lambda x: tf.nn.relu(tf.exp(x) + 1.0), 1, 8, 8, 1)) == MAP


def test_reshaped_tensors_share_memory_and_keep_it_alive():
    def function(x):
        kept = tf.reshape(tf.identity(tf.exp(x)), [64])
        return tf.exp(tf.exp(tf.exp(x))) + tf.reshape(kept, [1, 8, 8, 1])

    assert peak_bytes(graph_of(function, 1, 8, 8, 1)) == 3 * MAP


def test_operations_that_the_goal_does_not_need_do_not_count():
    def function(x):
        tf.exp(tf.tile(x, [1, 4, 4, 1]))
        return tf.exp(x)

    assert peak_bytes(graph_of(function, 1, 8, 8, 1)) == MAP


def test_the_convolution_gradient_has_a_workspace():
    kernel = tf.constant(np.ones((3, 3, 2, 5), np.float32))

    def function(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME"))
        return tape.gradient(value, x)

    assert peak_bytes(graph_of(function, 1, 8, 8, 2)) >= (5 + 9 * 2) * MAP
