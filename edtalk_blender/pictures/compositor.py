# SPDX-License-Identifier: GPL-3.0-or-later
"""A take in the compositor, as Image nodes. Nothing that the artist built is rewired: only a compositor that
did not exist yet is wired up.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from . import image_sequence, passes, sequencer


def tree_of(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositor: its own tree before 5.0, then a node group; None while there is none."""
    if hasattr(scene, "compositing_node_group"):
        return scene.compositing_node_group
    return scene.node_tree


def nodes_of(tree: bpy.types.NodeTree) -> Iterator[bpy.types.Node]:
    """All nodes of a tree, those in its groups included."""
    for node in tree.nodes:
        yield node
        inner = getattr(node, "node_tree", None)
        if inner is not None:
            yield from nodes_of(inner)


def _new_tree(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bpy.types.NodeSocket]:
    """A compositor for a scene that has none, and the socket its picture goes to."""
    if hasattr(scene, "compositing_node_group"):
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()  # what Blender itself put there just now
        output = tree.nodes.new("CompositorNodeComposite")
    output.location = 600, 0
    return tree, output.inputs[0]


def add_node(scene: bpy.types.Scene, face: bpy.types.Object) -> str:
    """An Image node that shows the take in the scene's compositor; gives back what was done, in words.

    A compositor that did not exist is made: the take lies over the render. In one that exists the node
    waits, unconnected, below the others.
    """
    image, tree = image_sequence.shown_image(face), tree_of(scene)
    found = None
    if tree is not None:
        found = next((n for n in nodes_of(tree) if image_sequence.shows(n, image)), None)
    if found is not None:
        image_sequence.set_timing(found, *image_sequence.timing_of(face))
        return f"The compositor shows {image.name} already, in node {found.name}"
    target = None
    fresh = tree is None
    if fresh:
        tree, target = _new_tree(scene)
    corner = [min((node.location[axis] for node in tree.nodes), default=0.0) for axis in (0, 1)]
    for other in tree.nodes:
        other.select = False
    node = tree.nodes.new("CompositorNodeImage")
    node.name = node.label = image_sequence.TEXTURE
    node.image = image
    image_sequence.set_timing(node, *image_sequence.timing_of(face))
    node.location = corner[0], corner[1] - 350
    tree.nodes.active = node
    if not fresh:
        return f"Node {node.name} waits in the compositor: connect it where you want the face"
    layers, over = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeAlphaOver")
    layers.scene = scene
    layers.location, over.location, node.location = (0, 0), (350, 0), (0, -400)
    below, above = (socket for socket in over.inputs if socket.type == "RGBA")
    tree.links.new(layers.outputs["Image"], below)
    tree.links.new(node.outputs["Image"], above)
    tree.links.new(over.outputs[0], target)
    return f"The compositor puts {image.name} over the render"


def add_pass_nodes(scene: bpy.types.Scene, face: bpy.types.Object) -> list[str]:
    """An Image node for each pass of the take that the compositor does not show yet, unconnected, below the
    others; gives back the names of the nodes that were made.
    """
    tree, take, made = tree_of(scene), face.edtalk.take, []
    there = passes.wanted(image_sequence.folder_of(take.image), face.edtalk.passes)
    for name in there:
        image = image_sequence.make_pass(take.image, name)
        if any(image_sequence.shows(node, image) for node in nodes_of(tree)):
            continue
        lowest = min((node.location[1] for node in tree.nodes), default=0.0)
        node = tree.nodes.new("CompositorNodeImage")
        node.name = node.label = f"{image_sequence.TEXTURE}, {name.title()}"
        node.image, node.location, node.select = image, (0, lowest - 350), False
        if name != passes.PLATE:
            image_sequence.set_timing(node, *image_sequence.timing_of(face))
        made.append(name.title())
    return made


def strips_compete(scene: bpy.types.Scene) -> bool:
    """Are there strips and a compositor with a take of ours, so that F12 gives the one or the other?"""
    tree, editor = tree_of(scene), scene.sequence_editor
    if tree is None or editor is None or not scene.render.use_compositing:
        return False
    ours = (
        n.bl_idname == "CompositorNodeImage" and n.name.startswith(image_sequence.TEXTURE)
        for n in nodes_of(tree)
    )
    return bool(len(sequencer.strips_of(scene))) and any(ours)
